import type { z } from 'zod'

/** A route beside the operations, whose bodies are passed on as they are: rows, streams, other people's protocols. */
export interface RouteDef {
  method: 'GET' | 'POST'
  /** as OpenAPI writes it: `/v1/scuba/tables/{table}/rows` */
  path: string
  summary: string
  /** it changes nothing: any role may ask */
  isRead: boolean
  query?: z.ZodObject
  /** what is sent: its types, and its form where it is JSON */
  body?: { types: readonly string[]; schema?: z.ZodType }
  /** what is answered when all went well */
  answer: { types: readonly string[]; description: string; schema?: z.ZodType }
}
