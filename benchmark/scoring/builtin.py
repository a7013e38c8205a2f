"""The built-in metrics, as light specs: listing them imports no numpy."""

from __future__ import annotations

from benchmark.specs import MetricSpec

METRICS = (
    MetricSpec(
        name="uar",
        title="UAR",
        citation="Schuller et al., The INTERSPEECH 2009 Emotion Challenge, Interspeech 2009",
        compute="benchmark.scoring.metrics:uar",
    ),
    MetricSpec(
        name="war",
        title="WAR",
        citation="Jiang et al., DFEW: A Large-Scale Database for Recognizing Dynamic Facial Expressions in the Wild, "
        "ACM MM 2020 (accuracy)",
        compute="benchmark.scoring.metrics:war",
    ),
    MetricSpec(
        name="macro_f1",
        title="macro-F1",
        citation="Opitz and Burst, Macro F1 and Macro F1, arXiv:1911.03347, 2019 (mean of the classes' F1)",
        compute="benchmark.scoring.metrics:macro_f1",
    ),
    MetricSpec(
        name="weighted_f1",
        title="weighted F1",
        citation="Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 2011 (F1 averaged by class size)",
        compute="benchmark.scoring.metrics:weighted_f1",
    ),
    MetricSpec(
        name="presence",
        title="presence",
        citation="Lachmann et al., Not all Blends are Equal, arXiv:2601.13225, 2026 (ACC_presence)",
        compute="benchmark.scoring.blends:presence",
        input="blends",
    ),
    MetricSpec(
        name="salience",
        title="salience",
        citation="Lachmann et al., Not all Blends are Equal, arXiv:2601.13225, 2026 (ACC_salience)",
        compute="benchmark.scoring.blends:salience",
        input="blends",
    ),
    MetricSpec(
        name="blend_score",
        title="blend score",
        citation="Chapariniya et al., Foundation Model Embeddings Meet Blended Emotions, arXiv:2603.23650, 2026 "
        "(the BLEMORE challenge's score: the mean of presence and salience)",
        compute="benchmark.scoring.blends:blend_score",
        input="blends",
    ),
    MetricSpec(
        name="top2",
        title="top-2 accuracy",
        citation="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015 (there: top-5)",
        compute="benchmark.scoring.probabilities:top2",
        input="probabilities",
    ),
    MetricSpec(
        name="ece",
        title="calibration error (ECE, 15 bins)",
        citation="Guo et al., On Calibration of Modern Neural Networks, ICML 2017",
        compute="benchmark.scoring.probabilities:ece",
        input="probabilities",
        higher_is_better=False,
    ),
    MetricSpec(
        name="augrc",
        title="wrong and accepted (AUGRC)",
        citation="Traub et al., Overcoming Common Flaws in the Evaluation of Selective Classification Systems, "
        "NeurIPS 2024",
        compute="benchmark.scoring.selective:augrc",
        input="probabilities",
        higher_is_better=False,
    ),
    MetricSpec(
        name="risk_at_80",
        title="risk at 80 % coverage",
        citation="Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017",
        compute="benchmark.scoring.selective:risk_at_80",
        input="probabilities",
        higher_is_better=False,
    ),
    MetricSpec(
        name="soft_cross_entropy",
        title="cross-entropy to votes (nats)",
        citation="Peterson et al., Human Uncertainty Makes Classification More Robust, ICCV 2019",
        compute="benchmark.scoring.distributions:soft_cross_entropy",
        input="distributions",
        higher_is_better=False,
    ),
    MetricSpec(
        name="kl",
        title="KL(votes || prediction) (nats)",
        citation="Kullback and Leibler, On Information and Sufficiency, Annals of Mathematical Statistics 1951",
        compute="benchmark.scoring.distributions:kl",
        input="distributions",
        higher_is_better=False,
    ),
    MetricSpec(
        name="js",
        title="Jensen-Shannon divergence to votes (bits)",
        citation="Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 1991",
        compute="benchmark.scoring.distributions:js",
        input="distributions",
        higher_is_better=False,
    ),
    MetricSpec(
        name="soft_brier",
        title="Brier score to votes",
        citation="Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 1950",
        compute="benchmark.scoring.distributions:soft_brier",
        input="distributions",
        higher_is_better=False,
    ),
    MetricSpec(
        name="top2_votes",
        title="votes for the two most probable classes",
        citation="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015 (there: top-5)",
        compute="benchmark.scoring.distributions:top2_votes",
        input="distributions",
    ),
    MetricSpec(
        name="shared_doubt",
        title="rank correlation of the model's doubt and the annotators'",
        citation="Peterson et al., Human Uncertainty Makes Classification More Robust, ICCV 2019 (votes' entropy)",
        compute="benchmark.scoring.selective:shared_doubt",
        input="distributions",
    ),
)
