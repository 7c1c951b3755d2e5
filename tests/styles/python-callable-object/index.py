class Handler:
    def __init__(self, greeting):
        self.greeting = greeting

    def __call__(self, event, context):
        return {"statusCode": 200, "body": self.greeting}


handler = Handler("Hello!")
