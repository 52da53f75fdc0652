await EventLogCommand.launch()
