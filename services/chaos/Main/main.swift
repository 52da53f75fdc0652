import Chaos

await ChaosCommand.launch()
