"""How the text-to-image starter base is made: captioned scenes, an autoencoder, a flow transformer."""
