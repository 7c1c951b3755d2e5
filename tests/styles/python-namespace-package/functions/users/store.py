def get(key):
    return {"1": "Ada"}[key]
