import functools
import logging


def logged(name):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            logging.getLogger(name).debug("called")
            return function(*args, **kwargs)

        return wrapper

    return decorate
