"""What can be measured about generated images without downloading anything.

`distance` compares generated with real images through a fixed random network, always beside the same figure
for real against real; `nearest` finds the training image an output resembles most. Neither is FID and neither
is called so.
"""
