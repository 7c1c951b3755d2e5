from service.http import handler

__all__ = ["handler"]
