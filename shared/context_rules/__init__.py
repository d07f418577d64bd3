"""Context rules: rule files with front matter, and what is compiled from them. Pure; docs/design/context-rules.md."""
