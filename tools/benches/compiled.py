"""Suite `compiled`: whole training steps, forward and backward to inputs and parameters.
"""
