import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { profileAssigned, profileDrifted, profileSet } from '../entries/profiles.ts'
import { nodesOfTarget } from '../nodes/node-target.ts'
import { nodeProfileRow, PROFILE_STATES, profileRow, type NodeProfileRow, type ProfileRow } from '../profiles/rows.ts'
import { hostProfileSchema } from '../profiles/schema.ts'
import { fromJson } from '../rows.ts'

const texts = z.record(z.string(), z.string())
const unknownProfile = (name: string) => refuse('TW_PROFILE_UNKNOWN', `there is no profile ${name}`)

export const profileSetCommand = defineCommand({
  name: 'tw.profile.set',
  summary: 'Keep a host profile; nodes stay as they are until it is applied to them.',
  role: 'admin',
  input: z.object({ document: hostProfileSchema }),
  output: z.object({ profile: z.string(), version: z.int(), isChanged: z.boolean() }),
  decide: (db, { document: { name, drains, settings, labels } }) => {
    const newest = profileRow(db, name)
    const isChanged =
      newest === undefined ||
      newest.settings !== canonicalJson(settings) ||
      newest.labels !== canonicalJson(labels) ||
      (newest.drains === 1) !== drains
    return {
      entries: isChanged ? [profileSet.of({ profile: name, drains, settings, labels })] : [],
      reply: (after) => ({ profile: name, version: profileRow(after, name)?.version ?? 0, isChanged }),
    }
  },
})

export const profileApply = defineCommand({
  name: 'tw.profile.apply',
  summary: 'Put nodes into a profile, at most 2 % of all at once; each is closed meanwhile.',
  danger: 'medium',
  input: z.object({
    profile: z.string(),
    /** a node, `rack:r7`, `zone:z1`, `region:eu` or `label:k=v` */
    target: z.string(),
    reason: z.string().default(''),
  }),
  output: z.object({
    profile: z.string(),
    version: z.int(),
    /** that will be switched */
    nodes: z.array(z.string()),
    /** that are as the profile says already */
    already: z.array(z.string()),
  }),
  decide: (db, { profile, target, reason }) => {
    const row = profileRow(db, profile)
    if (row === undefined) return unknownProfile(profile)
    const all = nodesOfTarget(db, target)
    if (isRefusal(all)) return all
    const now = new Map(all.map((node) => [node, nodeProfileRow(db, node)]))
    const already = all.filter((node) => isAsSaid(now.get(node), row))
    const busy = all.filter((node) => ['draining', 'writing'].includes(now.get(node)?.state ?? ''))
    const nodes = all.filter((node) => !already.includes(node) && !busy.includes(node))
    return {
      entries: nodes.length === 0 ? [] : [profileAssigned.of({ profile, version: row.version, nodes, reason })],
      reply: () => ({ profile, version: row.version, nodes, already }),
      ...(busy.length === 0 ? {} : { warnings: [`${busy.join(', ')} is being switched just now, and left out`] }),
    }
  },
})

function isAsSaid(row: NodeProfileRow | undefined, { name, version }: ProfileRow): boolean {
  return row !== undefined && row.profile === name && row.version === version && row.state === 'set' && row.differs === '{}'
}

/** Said by agents every ten minutes, and logged where it is news. */
export const profileReport = defineCommand({
  name: 'tw.profile.report',
  summary: 'Say how a node differs from its profile, where it is news.',
  role: 'admin',
  input: z.object({ node: z.string(), switch: z.int(), differs: texts }),
  output: z.object({ isChanged: z.boolean() }),
  decide: (db, input) => {
    const row = nodeProfileRow(db, input.node)
    const isHeld = row !== undefined && row.switch === input.switch && (row.state === 'set' || row.state === 'compared')
    const isChanged = isHeld && row.differs !== canonicalJson(input.differs)
    return { entries: isChanged ? [profileDrifted.of(input)] : [], reply: () => ({ isChanged }) }
  },
})

const countsSchema = z.object({
  nodes: z.int(),
  set: z.int(),
  /** as the profile says when they were switched, and not any more */
  drifted: z.int(),
  /** differ, and their agent may not write */
  compared: z.int(),
  failed: z.int(),
  underWay: z.int(),
  waiting: z.int(),
  held: z.int(),
})

function countsOf(db: ReadDb, profile: string): z.output<typeof countsSchema> {
  const found = db.all<{ state: string; is_other: number; n: number }>(
    "SELECT state, differs <> '{}' AS is_other, count(*) AS n FROM tw_node_profile WHERE profile = ? GROUP BY 1, 2",
    profile,
  )
  const sum = (of: (row: { state: string; is_other: number }) => boolean): number =>
    found.reduce((total, row) => total + (of(row) ? row.n : 0), 0)
  const inState = (state: string): number => sum((row) => row.state === state)
  return {
    nodes: sum(() => true),
    set: sum((row) => row.state === 'set' && row.is_other === 0),
    drifted: sum((row) => row.state === 'set' && row.is_other === 1),
    compared: inState('compared'),
    failed: inState('failed'),
    underWay: inState('draining') + inState('writing'),
    waiting: inState('waiting'),
    held: inState('held'),
  }
}

export const profileList = defineQuery({
  name: 'tw.profile.list',
  summary: 'List the host profiles, and how many nodes are as they say.',
  input: z.object({}),
  output: z.array(z.object({ profile: z.string(), version: z.int(), drains: z.boolean(), settings: z.int(), counts: countsSchema })),
  answer: (db) =>
    db
      .all<ProfileRow>('SELECT * FROM tw_profile p WHERE version = (SELECT max(version) FROM tw_profile WHERE name = p.name) ORDER BY name')
      .map(({ name, version, drains, settings }) => ({
        profile: name,
        version,
        drains: drains === 1,
        settings: Object.keys(fromJson<object>(settings)).length,
        counts: countsOf(db, name),
      })),
})

export const profileShow = defineQuery({
  name: 'tw.profile.show',
  summary: 'Show a host profile, and the nodes that are not as it says.',
  input: z.object({
    profile: z.string(),
    /** most nodes that are named */
    limit: z.int().min(1).max(10_000).default(100),
  }),
  output: z.object({
    profile: z.string(),
    version: z.int(),
    drains: z.boolean(),
    settings: texts,
    labels: texts,
    author: z.string(),
    atMs: z.number(),
    counts: countsSchema,
    /** that are not as it says, or of an older version */
    nodes: z.array(
      z.object({ node: z.string(), version: z.int(), state: z.enum(PROFILE_STATES), why: z.string(), differs: texts, sinceMs: z.number() }),
    ),
  }),
  answer: (db, { profile, limit }) => {
    const row = profileRow(db, profile)
    if (row === undefined) return unknownProfile(profile)
    const nodes = db.all<NodeProfileRow>(
      "SELECT * FROM tw_node_profile WHERE profile = ? AND (state <> 'set' OR differs <> '{}' OR version <> ?) ORDER BY node LIMIT ?",
      ...[profile, row.version, limit],
    )
    return {
      ...{ profile, version: row.version, drains: row.drains === 1, settings: fromJson<Record<string, string>>(row.settings) },
      ...{ labels: fromJson<Record<string, string>>(row.labels), author: row.author, atMs: row.at, counts: countsOf(db, profile) },
      nodes: nodes.map(({ node, version, state, why, differs, since }) => ({
        ...{ node, version, state, why, sinceMs: since },
        differs: fromJson<Record<string, string>>(differs),
      })),
    }
  },
})
