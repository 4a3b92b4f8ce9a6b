import { openFullScreen } from '../full-screen.ts'
import { SevConsole, type ConsoleSource } from './console.tsx'

/** Shows the console until it is left. */
export function openSevConsole(source: ConsoleSource, isReadOnly: boolean): Promise<void> {
  return openFullScreen(({ quit }) => <SevConsole source={source} isReadOnly={isReadOnly} onQuit={quit} />)
}
