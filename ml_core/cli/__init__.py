"""The roof: commands that turn configuration into objects and hand them to a step, the runner or a tracker."""
