"""How long an AI training will take and what it will cost, said before it starts and before it goes on."""

from accounts.models import User
from billing.models import Price
from billing.selectors import balance_of
from training.ai_plans import plan_of
from training.ai_prices import cost_of_steps, quote_ai_training
from training.ai_speeds import speed_of
from training.estimates import Cost, Estimate
from training.models import AITraining
from training.speeds import seconds_of_plan


def estimate_ai_training(*, user: User, planned: AITraining, megapixels: float) -> Estimate:
    """Estimate a training that is being set up, a row that is not stored. At most three queries."""
    quote = quote_ai_training()
    return Estimate(
        seconds=_seconds(planned, megapixels=megapixels, done=0), cost=_cost(user, quote.price, quote.credits)
    )


def estimate_ai_rest(training: AITraining) -> Estimate:
    """Estimate what is left to do of a training, at the price agreed at its start. At most two queries."""
    job = training.job
    left = cost_of_steps(job, job.total) - job.price_charged
    return Estimate(
        seconds=_seconds(training, megapixels=0.0, done=job.step),
        cost=_cost(training.owner, job.price, left),
    )


def _seconds(training: AITraining, *, megapixels: float, done: int) -> float | None:
    speed = speed_of(training)
    if speed is None:
        return None
    return seconds_of_plan(plan_of(training), speed, megapixels=megapixels, done=done)


def _cost(user: User, price: Price | None, credits_left: int) -> Cost | None:
    """Everything is held at once."""
    if price is None:
        return None
    return Cost(price=price, credits=credits_left, first=credits_left, available=balance_of(user).available)
