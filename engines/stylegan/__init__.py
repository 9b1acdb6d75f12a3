"""StyleGAN2 with adaptive augmentation, written from the papers (1912.04958, 2006.06676 on arXiv)."""
