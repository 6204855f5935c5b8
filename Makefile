# see README
