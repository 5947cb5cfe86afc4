"""The roof: commands; they turn configuration into objects for a step, the runner or a tracker."""
