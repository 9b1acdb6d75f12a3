"""What an AI training costs: one price for all its steps, charged by the share that was delivered."""

from billing.selectors import Quote, quote_price
from jobs.models import Job

PRICE = "ai-training"


def quote_ai_training() -> Quote:
    """Return what a training costs now. Raises UnknownPrice where the price list lacks it."""
    return quote_price(PRICE)


def cost_of_steps(job: Job, units: int) -> int:
    """Return the credits for so many delivered steps, rounded up: what the job's kind is registered with."""
    if job.price is None or not job.total:
        return 0
    return -(-job.price.for_quantity(1) * units // job.total)
