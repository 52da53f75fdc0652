import Chaos
import Terminal

await ChaosCommand.launch()
