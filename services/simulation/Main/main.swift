import Terminal

await SimulateCommand.launch()
