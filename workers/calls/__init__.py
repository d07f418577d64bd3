"""The calls that come with Windrow: functions of the files in the current directory."""
