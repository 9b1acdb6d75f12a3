"""The shipped starter weights, how they were made, and the drawn pictures they were made from."""
