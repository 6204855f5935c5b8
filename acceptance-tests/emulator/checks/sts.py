"""STS: who calls."""


def check(checker):
    said = checker.client("sts").get_caller_identity()
    checker.same("the rig's own identity", said["Arn"], f"arn:aws:iam::{said['Account']}:user/rig")
