"""What Stripe does, as far as the studio needs it, on tables of our own: no network, no keys, no money."""
