import { sent, type Channel } from './channel.ts'

/**
 * A line in the server's log. Open consoles and `sev watch` see the delivery itself in the event stream, ring, and
 * confirm it; so it counts as sent here and as confirmed once somebody's screen showed it.
 */
export const terminalChannel: Channel = async (delivery, host) => {
  host.log.warn('page', { key: delivery.key, kind: delivery.kind, person: delivery.page.facts.person, line: delivery.page.firstLine })
  return sent('shown to open consoles')
}
