import { render } from 'ink'
import { SevConsole, type ConsoleSource } from './console.tsx'

/** Shows the console on the terminal's other screen until it is left. */
export async function openSevConsole(source: ConsoleSource, isReadOnly: boolean): Promise<void> {
  const app = render(<SevConsole source={source} isReadOnly={isReadOnly} onQuit={() => app.unmount()} />, {
    alternateScreen: true,
    exitOnCtrlC: true,
    patchConsole: false,
  })
  await app.waitUntilExit()
}
