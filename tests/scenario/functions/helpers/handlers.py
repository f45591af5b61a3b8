def handle(event, context):
    return "deep"
