import { MusterError } from '../../core/kernel/errors.ts'
import { readBytes } from './bytes.ts'
import { parseYaml } from './yaml-file.ts'

/** The text of a configuration, `-` being standard input. @throws MusterError FILE_UNREADABLE; USAGE when it is not UTF-8 */
export function readConfigText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readBytes(path))
  } catch (cause) {
    if (cause instanceof MusterError) throw cause
    throw new MusterError('USAGE', `${path} is not UTF-8 text`, { hint: 'Encode it, for example with base64.', cause })
  }
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    // That it is not is the answer.
    return false
  }
}

/**
 * A JSON or YAML text as JSON: JSON as it is, YAML written anew, without its comments. What has a schema is kept as JSON, which
 * the server itself can check, and which YAML readers read as well. @throws MusterError with line and column
 */
export function asJson(text: string, file: string): string {
  return isJson(text) ? text : `${JSON.stringify(parseYaml(text, file, 'DELOS_CONFIG_INVALID').toJS(), null, 2)}\n`
}
