/** Programs that open a link in the person's browser, by platform. */
const OPENERS: Partial<Record<NodeJS.Platform, string>> = { linux: 'xdg-open', freebsd: 'xdg-open', darwin: 'open' }

/**
 * Opens a link where there is a display. Gives whether a program for it was started; what it does then is its own.
 * @param env who looks for a display, and where programs are
 */
export async function startBrowser(url: string, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const opener = OPENERS[process.platform]
  const hasDisplay = process.platform === 'darwin' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'])
  if (opener === undefined || !hasDisplay) return false
  const { spawn } = await import('node:child_process')
  return new Promise((resolve) => {
    const child = spawn(opener, [url], { env, stdio: 'ignore', detached: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}
