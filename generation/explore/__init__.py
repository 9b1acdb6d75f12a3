"""Going about in the latent space of a model: maps, points, walks, projections."""
