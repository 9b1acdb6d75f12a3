"""Text to image on diffusers folders: opening bases, training LoRAs, making pictures with them."""
