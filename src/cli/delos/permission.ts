import type { KeyRange } from '../../core/delos/recipes/etcd/request.ts'
import { PERMISSION, type Key, type Permission } from '../../core/delos/wire/messages.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { keyOf, keyText } from '../coordination/key-text.ts'
import type { PermissionView } from '../render/delos-auth.ts'

/** Every key from one on, as `range_end`. */
const TO_THE_END: Key = '\0'

/** Keys as etcdctl's flags name them. Throws USAGE for an end beside a flag. */
export function spanOf(key: string, end: string | undefined, flags: { prefix: boolean; 'from-key': boolean }): KeyRange {
  if (end !== undefined && (flags.prefix || flags['from-key']))
    throw new MusterError('USAGE', 'an end and --prefix or --from-key do not go together')
  const from = keyOf(key)
  if (flags['from-key']) return { key: from === '' ? '\0' : from, range_end: TO_THE_END }
  if (flags.prefix) return { key: from === '' ? '\0' : from, range_end: afterPrefix(from) }
  return { key: from, range_end: end === undefined ? '' : keyOf(end) }
}

/** The first key after all that start so (clientv3 `GetPrefixRangeEnd`). */
function afterPrefix(prefix: Key): Key {
  for (let i = prefix.length - 1; i >= 0; i -= 1) {
    const byte = prefix.charCodeAt(i)
    if (byte < 0xff) return prefix.slice(0, i) + String.fromCharCode(byte + 1)
  }
  return TO_THE_END
}

/** `/app/ and all keys that start so`. */
export function spanText({ key, range_end: end }: KeyRange): string {
  if (end === '') return keyText(key)
  const from = key === '\0' ? '' : key
  if (end === TO_THE_END) return from === '' ? 'all keys' : `all keys from ${keyText(from)} on`
  return end === afterPrefix(from) ? `all keys below ${keyText(from)}` : `the keys from ${keyText(from)} to ${keyText(end)}`
}

export function permissionOf(kind: string, span: KeyRange): Permission {
  return { permType: PERMISSION[kind as keyof typeof PERMISSION], ...span }
}

export function permissionView({ permType, ...span }: Permission): PermissionView {
  const [kind = 'read'] = Object.entries(PERMISSION).find(([, value]) => value === permType) ?? []
  return { kind, keys: spanText(span) }
}
