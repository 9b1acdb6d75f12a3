"""How the two small networks that the studio ships for Run were made: telling drawings, doubling pictures."""
