print("tagway")
