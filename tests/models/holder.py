"""A class of somebody else's, in a package of its own."""


class Holder:
    """Holds what a test puts into a file; stands for the user's own classes."""

    def __init__(self, **held):
        self.__dict__.update(held)
