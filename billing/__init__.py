"""Plans, credits and Stripe at the edge."""
