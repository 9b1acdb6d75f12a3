"""The last lines that a bench prints."""


def ratio(name: str, ours: float, baseline: float, unit: str) -> str:
    """Return a figure's last line."""
    return f"{name} ratio={ours / baseline:.3f} (ours={ours:.1f}, baseline={baseline:.1f}, {unit})"
