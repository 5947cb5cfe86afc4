"""One plain function a file: objects in, files out, an Outcome back."""
