"""Names of archs: `sm_90a`, `compute_90`. Pure."""


def number_of(arch: str) -> int:
    """90 of `sm_90a`; 0: it names none."""
    digits = "".join(sign for sign in arch.partition("_")[2] if sign.isdigit())
    return int(digits) if digits and len(digits) < 6 else 0
