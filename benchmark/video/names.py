"""What files are called: the suffixes under which images and videos are looked for."""

JPEG_SUFFIXES = (".jpg", ".jpeg")
IMAGE_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".webp", ".bmp", ".tif", ".tiff")
# A file that is named is tried whatever it is called.
VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2"),
    *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".ogv", ".rm", ".rmvb", ".divx", ".gif"),
)
