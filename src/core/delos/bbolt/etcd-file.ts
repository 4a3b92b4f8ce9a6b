import { MusterError } from '../../kernel/errors.ts'
import { bigintJson, parseBigintJson } from '../../kernel/json.ts'
import type { SessionRow as AppliedRow } from '../engines/applied-once.ts'
import type { AlarmRow, KvRows, LeaseRow, RoleRow, SessionRow, UserRow } from '../kv/rows.ts'
import { compareBytes } from '../kv/sorting.ts'
import { tombstone, type Version } from '../kv/version.ts'
import { bytesOf } from '../../kernel/protobuf/byte-string.ts'
import type { AlarmMember, KeyValue, Member, Permission } from '../wire/messages.ts'
import { codecOf, decode } from '../../kernel/protobuf/codec.ts'
import { encode } from '../../kernel/protobuf/encode.ts'
import { int, int64, list, message, optional, text, view, type Schema } from '../../kernel/protobuf/schema.ts'
import { PERMISSION, USER_ADD_OPTIONS } from '../wire/protobuf/schemas/auth.ts'
import { KEY_VALUE } from '../wire/protobuf/schemas/kv.ts'
import { ALARM_MEMBER } from '../wire/protobuf/schemas/maintenance.ts'
import { readBucket, type Source } from './reader.ts'
import type { Meta } from './page.ts'
import { BboltWriter, type Sink } from './writer.ts'

/*
 * The store as etcd keeps it in its file (etcd 3.4, mvcc/kvstore.go, lease/lessor.go, auth/store.go, membership/store.go): what `etcdctl
 * snapshot restore` starts a real etcd from, and what one of theirs is read from.
 */

/** `versions` may come from a file, one after the other. */
export type EtcdRows = Omit<KvRows, 'versions'> & { versions: Iterable<Version> }

/** leasepb.Lease */
const LEASE: Schema<{ ID: bigint; TTL: number; RemainingTTL: number }> = {
  name: 'leasepb.Lease',
  fields: { ID: int64(1), TTL: int(2), RemainingTTL: int(3) },
}
const USER: Schema<{ name: string; password: Uint8Array; roles: string[]; options: { no_password: boolean } | null }> = {
  name: 'authpb.User',
  fields: { name: text(1), password: view(2), roles: list(text(3)), options: optional(message(4, () => USER_ADD_OPTIONS)) },
}
const ROLE: Schema<{ name: string; keyPermission: Permission[] }> = {
  name: 'authpb.Role',
  fields: { name: text(1), keyPermission: list(message(2, () => PERMISSION)) },
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const NONE = new Uint8Array(0)
/** u64 main | `_` | u64 sub, and `t` behind them for a tombstone */
const REVISION_BYTES = 17
const UNDERSCORE = 0x5f
const TOMBSTONE = 0x74
/** The cost that etcd's passwords are kept with begins so; ours are of another kind. */
const BCRYPT = '$2'

function revisionBytes(main: number, sub: number, isTombstone = false): Uint8Array {
  const bytes = new Uint8Array(REVISION_BYTES + (isTombstone ? 1 : 0))
  const numbers = new DataView(bytes.buffer)
  numbers.setUint32(0, Math.floor(main / 2 ** 32))
  numbers.setUint32(4, main >>> 0)
  bytes[8] = UNDERSCORE
  numbers.setUint32(13, sub)
  if (isTombstone) bytes[REVISION_BYTES] = TOMBSTONE
  return bytes
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value))
  return bytes
}

const readU64 = (bytes: Uint8Array): bigint => (bytes.length < 8 ? 0n : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))

/** What stands in the file for people, under a key that etcd does not know and passes over. */
export interface FileAbout {
  /** id of the cluster, hex */
  clusterId: string
  savedAtMs: number
  /** what etcd's format has no place for, and who applies the log from `position` on needs; left out by older programs */
  exact?: ExactState
}

/** Of the moment at which the rows stand. */
export interface ExactState {
  /** log time, ms */
  timeMs: number
  /** which batches were applied */
  proposers: AppliedRow[]
  revision: number
  epoch: number
  digest: number
  alarms: AlarmRow[]
  sessions: SessionRow[]
}

const ABOUT = 'muster'

/**
 * @param position of the log, up to which the rows go
 * @returns bytes of the file
 */
export function writeEtcdFile(sink: Sink, rows: EtcdRows, members: readonly Member[], position: number, about: FileAbout | null): number {
  const { state } = rows
  const writer = new BboltWriter(sink)
  const bucket = (name: string, elements: Iterable<[Uint8Array, Uint8Array]>): void => writer.bucket(encoder.encode(name), elements)
  const ordered = <T>(all: readonly T[], of: (one: T) => [Uint8Array, Uint8Array]): [Uint8Array, Uint8Array][] =>
    all.map(of).toSorted(([a], [b]) => compareBytes(a, b))
  const named = (elements: Record<string, Uint8Array>): [Uint8Array, Uint8Array][] =>
    ordered(Object.entries(elements), ([name, value]) => [encoder.encode(name), value])

  bucket(
    'alarm',
    ordered(rows.alarms, (alarm) => [encode(codecOf(ALARM_MEMBER), alarm), NONE]),
  )
  bucket('auth', named({ authEnabled: Uint8Array.of(state.isAuthEnabled ? 1 : 0), authRevision: u64(BigInt(state.authRevision)) }))
  bucket(
    'authRoles',
    ordered(rows.roles, (role) => [encoder.encode(role.name), encodeRole(role)]),
  )
  bucket(
    'authUsers',
    ordered(rows.users, (user) => [encoder.encode(user.name), encodeUser(user)]),
  )
  bucket('cluster', [])
  bucket('key', keyElements(rows.versions))
  bucket(
    'lease',
    ordered(rows.leases, (lease) => [u64(lease.id), encodeLease(lease)]),
  )
  bucket(
    'members',
    ordered(members, (member) => [encoder.encode(member.ID.toString(16)), encoder.encode(memberJson(member))]),
  )
  bucket('members_removed', [])
  const compacted = state.compactRevision < 0 ? null : revisionBytes(state.compactRevision, 0)
  bucket(
    'meta',
    named({
      consistent_index: u64(BigInt(position)),
      ...(compacted === null ? {} : { finishedCompactRev: compacted, scheduledCompactRev: compacted }),
      ...(about === null ? {} : { [ABOUT]: encoder.encode(bigintJson(about)) }),
    }),
  )
  return writer.finish()
}

function* keyElements(versions: Iterable<Version>): Generator<[Uint8Array, Uint8Array]> {
  const codec = codecOf(KEY_VALUE)
  for (const version of versions) {
    const kv: KeyValue = version.isDeleted ? { ...version, mod_revision: 0 } : version
    yield [revisionBytes(version.mod_revision, version.sub, version.isDeleted), encode(codec, kv)]
  }
}

const encodeLease = ({ id, ttlS, remainingS }: LeaseRow): Uint8Array =>
  encode(codecOf(LEASE), { ID: id, TTL: ttlS, RemainingTTL: remainingS })

const encodeRole = ({ name, permissions }: RoleRow): Uint8Array => encode(codecOf(ROLE), { name, keyPermission: [...permissions] })

function encodeUser({ name, passwordHash, noPassword, roles }: UserRow): Uint8Array {
  const options = noPassword ? { no_password: true } : null
  return encode(codecOf(USER), { name, password: bytesOf(passwordHash), roles: [...roles], options })
}

/** An id is 64 bits, more than a JSON number of ours can be: written by hand. */
const memberJson = ({ ID, name, peerURLs, clientURLs }: Member): string =>
  `{"id":${ID},"peerURLs":${JSON.stringify(peerURLs)},"name":${JSON.stringify(name)},"clientURLs":${JSON.stringify(clientURLs)}}`

/** What a file of etcd's holds. */
export interface EtcdFile {
  rows: KvRows
  /** of the log, up to which the rows go */
  position: number
  about: FileAbout | null
  /** users whose passwords are kept in a way that this program does not check: they have to be set anew */
  withoutPassword: string[]
}

/** Reads all of a file. Throws DELOS_SNAPSHOT_INVALID. */
export function readEtcdFile(source: Source, meta: Meta): EtcdFile {
  const versions = [...readBucket(source, meta, 'key')].map(([at, value]) => versionOf(at, value))
  const auth = new Map([...readBucket(source, meta, 'auth')].map(([name, value]) => [decoder.decode(name), value]))
  const own = new Map([...readBucket(source, meta, 'meta')].map(([name, value]) => [decoder.decode(name), value]))
  const compacted = own.get('finishedCompactRev') ?? own.get('scheduledCompactRev')
  const compactRevision = compacted === undefined ? -1 : Number(readU64(compacted))
  const users = [...readBucket(source, meta, 'authUsers')].map(([, value]) => userOf(value))
  const about = aboutOf(own.get(ABOUT))
  const exact = about?.exact
  return {
    rows: {
      versions,
      leases: [...readBucket(source, meta, 'lease')].map(([, value]) => leaseOf(value)),
      users,
      roles: [...readBucket(source, meta, 'authRoles')].map(([, value]) => roleOf(value)),
      alarms: exact?.alarms ?? [...readBucket(source, meta, 'alarm')].map(([member]) => read<AlarmMember>(ALARM_MEMBER, member)),
      ...(exact === undefined ? {} : { sessions: exact.sessions }),
      state: {
        cursor: 0,
        revision: Math.max(exact?.revision ?? 1, versions.at(-1)?.mod_revision ?? 1, compactRevision, 1),
        compactRevision,
        epoch: exact?.epoch ?? 0,
        authRevision: Number(readU64(auth.get('authRevision') ?? NONE)),
        isAuthEnabled: auth.get('authEnabled')?.[0] === 1,
        digest: exact?.digest ?? 0,
      },
    },
    position: Number(readU64(own.get('consistent_index') ?? NONE)),
    about,
    withoutPassword: users.filter(({ passwordHash }) => passwordHash.startsWith(BCRYPT)).map(({ name }) => name),
  }
}

function aboutOf(bytes: Uint8Array | undefined): FileAbout | null {
  if (bytes === undefined) return null
  try {
    return parseBigintJson(decoder.decode(bytes)) as FileAbout
  } catch {
    // Not ours after all.
    return null
  }
}

function read<Message>(schema: Schema<Message>, bytes: Uint8Array): Message {
  const found = decode(codecOf(schema), bytes)
  if (found === null) throw new MusterError('DELOS_SNAPSHOT_INVALID', `The file is damaged: it holds something that is no ${schema.name}.`)
  return found
}

function versionOf(at: Uint8Array, value: Uint8Array): Version {
  if (at.length < REVISION_BYTES) throw new MusterError('DELOS_SNAPSHOT_INVALID', 'The file is damaged: it holds a key without a revision.')
  const numbers = new DataView(at.buffer, at.byteOffset)
  const revision = Number(numbers.getBigUint64(0))
  const sub = Number(numbers.getBigUint64(9))
  const kv = read(KEY_VALUE, value)
  if (at[REVISION_BYTES] === TOMBSTONE) return tombstone(kv.key, revision, sub)
  return { ...kv, value: kv.value.slice(), sub, isDeleted: false }
}

function leaseOf(value: Uint8Array): LeaseRow {
  const { ID, TTL, RemainingTTL } = read(LEASE, value)
  return { id: ID, ttlS: TTL, remainingS: RemainingTTL }
}

function roleOf(value: Uint8Array): RoleRow {
  const { name, keyPermission } = read(ROLE, value)
  return { name, permissions: keyPermission.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))) }
}

function userOf(value: Uint8Array): UserRow {
  const { name, password, roles, options } = read(USER, value)
  return { name, passwordHash: decoder.decode(password), noPassword: options?.no_password ?? false, roles: roles.toSorted() }
}
