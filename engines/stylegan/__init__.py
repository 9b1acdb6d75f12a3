"""StyleGAN2 with adaptive discriminator augmentation, written from the papers (arXiv 1912.04958, 2006.06676)."""
