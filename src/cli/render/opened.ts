export interface Opened {
  url: string
  /** ms since the epoch until which the link is good, once */
  expiresAt: number
}

export function renderOpened({ url, expiresAt }: Opened, { now, isStarted }: { now: number; isStarted: boolean }): string {
  const seconds = Math.max(0, Math.round((expiresAt - now) / 1000))
  return `${url}\n${isStarted ? 'opened in the browser; the link' : 'The link'} is good once, for ${seconds} s`
}
