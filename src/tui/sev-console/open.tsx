import { render } from 'ink'
import { SevConsole, type ConsoleSource } from './console.tsx'

/** Shows the console on the terminal's other screen until it is left. */
export async function openSevConsole(source: ConsoleSource, isReadOnly: boolean): Promise<void> {
  let isLeft = false
  const onQuit = (): void => {
    isLeft = true
    app.unmount()
  }
  const app = render(<SevConsole source={source} isReadOnly={isReadOnly} onQuit={onQuit} />, {
    alternateScreen: true,
    exitOnCtrlC: true,
    patchConsole: false,
  })
  await app.waitUntilExit()
  // Ctrl-C is a key to a screen, not a signal; to a script around it, it is the same.
  if (!isLeft) process.exitCode ??= 130
}
