import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { refuse } from '../../core/kernel/errors.ts'
import type { DeliverBody } from '../../core/sev/controllers/dispatcher.ts'
import { DeliveryFailed, DeliverySent } from '../../core/sev/entries/page.ts'
import { ContactSet, TeamSet, ZoneSet } from '../../core/sev/entries/schedule.ts'
import { personOf, zonesFrom } from '../../core/sev/people.ts'
import type { DeliveryRow } from '../../core/sev/schema.ts'
import type { ServerHost, Wiring } from '../host.ts'
import { deliver } from './deliver.ts'
import { isZone, schedulingZone, zoneVersion } from '../zones.ts'

const NAMES_MAX = 200

/** The name by which the one who started the server is known to the CLI too. */
function starterOf(env: NodeJS.ProcessEnv): string {
  const actor = env['MUSTER_ACTOR']?.replace(/^user:/, '')
  const name = actor || env['USER'] || env['LOGNAME'] || (process.getuid?.() === 0 ? 'root' : String(process.getuid?.() ?? 'unknown'))
  return (
    name
      .replaceAll(/[^a-zA-Z0-9._-]/g, '-')
      .replace(/^[^a-zA-Z0-9]+/, '')
      .slice(0, 63) || 'unknown'
  )
}

/** Adapters of sev: the channels, the zone tables, and somebody on call from the first minute. */
export function wireSev(host: ServerHost): Wiring {
  /** Without a schedule a page still reaches someone: whoever started the fleet, on the terminal and in a file. */
  const ensureSomebody = async (): Promise<void> => {
    await host.propose('controller:sev.default', (db) => {
      if (db.get('SELECT 1 AS one FROM sev_person LIMIT 1') !== undefined) return []
      const person = starterOf(process.env)
      const contacts = [
        { channel: 'terminal' as const, address: '' },
        { channel: 'file' as const, address: 'pages.log' },
      ]
      return [
        ContactSet.of({ person, spec: { title: person, timeZone: 'UTC', contacts, isBuiltin: true } }),
        TeamSet.of({ name: 'default', spec: { primary: person, lead: person }, isBuiltin: true }),
      ]
    })
  }

  /** New zone data, or another year: the tables in the state follow the runtime's. */
  const refreshZones = async (): Promise<void> => {
    await host.propose('controller:sev.zones', (db, now) => {
      const stale = [...zonesFrom(db).values()].filter((zone) => {
        const last = zone.transitions.at(-1)?.atMs ?? 0
        return zone.version !== zoneVersion() || (zone.transitions.length > 1 && last < now)
      })
      return stale.flatMap((zone) => {
        const fresh = isZone(zone.tz) ? schedulingZone(zone.tz, now) : zone
        return JSON.stringify(fresh) === JSON.stringify(zone) ? [] : [ZoneSet.of(fresh)]
      })
    })
  }

  return {
    effects: {
      'sev.deliver': async (effect, signal) => {
        const body = effect.body as DeliverBody
        // Read again right before sending: nothing pages after it was cancelled.
        const row = host.db.get<DeliveryRow>('SELECT * FROM sev_delivery WHERE key = ?', body.key)
        if (!row || (row.state !== 'intended' && row.state !== 'failed')) return []
        const outcome = await deliver(body, host, signal)
        const fields = { key: body.key, channel: body.channel, person: body.page.facts.person, attempt: body.attempt }
        if (outcome.isOk) {
          host.log.info('page delivered', fields)
          return [DeliverySent.of({ key: body.key, detail: outcome.detail })]
        }
        host.log.warn('page not delivered', { ...fields, error: outcome.error })
        return [DeliveryFailed.of({ key: body.key, error: outcome.error, isPermanent: outcome.isPermanent })]
      },
    },
    actions: {
      'sev.zone.tables': async ({ names }: { names: string }) => {
        const wanted = [...new Set(names.split(',').filter(Boolean))].slice(0, NAMES_MAX)
        return { zones: wanted.filter(isZone).map((tz) => schedulingZone(tz, host.now())) }
      },
      'sev.contact.test': async ({ person, channel }: { person: string; channel?: string }, { actor, signal }) => {
        const known = personOf(host.db, person)
        if (known === null) throw refuse('SEV_PERSON_UNKNOWN', `nobody is called ${person}`)
        const contacts = known.contacts.filter((contact) => channel === undefined || contact.channel === channel)
        if (contacts.length === 0) throw refuse('SEV_PERSON_UNKNOWN', `${person} has no ${channel ?? ''} contact`.replace('  ', ' '))
        const results = []
        for (const [n, contact] of contacts.entries()) {
          const startedAt = performance.now()
          const body = testBody(host, person, actor, contact, n)
          const outcome = await deliver(body, host, signal)
          results.push({
            channel: contact.channel,
            isOk: outcome.isOk,
            detail: outcome.isOk ? outcome.detail : outcome.error,
            tookMs: Math.round(performance.now() - startedAt),
          })
        }
        return { person, results }
      },
    },
    start: async () => {
      await ensureSomebody()
      await refreshZones()
    },
  }
}

/** A page that says in its first word that it is a test; it is about no incident. */
function testBody(
  host: ServerHost,
  person: string,
  actor: string,
  contact: { channel: DeliverBody['channel']; address: string },
  n: number,
): DeliverBody {
  const settings = host.db.get<{ settings: string }>('SELECT settings FROM sev_channel WHERE name = ?', contact.channel)
  const at = host.now()
  const firstLine = `TEST page for ${person}, asked for by ${actor}`
  return {
    key: `test-${at}-${n}`,
    channel: contact.channel,
    address: contact.address,
    kind: 'page',
    attempt: 1,
    settings: settings === undefined ? null : (JSON.parse(settings.settings) as unknown),
    page: {
      firstLine,
      text: `${firstLine}\nNothing is asked of you.\n`,
      facts: {
        kind: 'page',
        incident: 0,
        level: 4,
        state: 'test',
        title: 'TEST',
        service: null,
        person,
        step: 0,
        openedAt: new Date(at).toISOString(),
        duringChaosRun: null,
      },
    },
  }
}
