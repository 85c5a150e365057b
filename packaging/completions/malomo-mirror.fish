# fish: the program itself knows what can be typed.
malomo-mirror completions fish | source
