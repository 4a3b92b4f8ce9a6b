import {
  bool,
  double,
  enumeration,
  fixed32,
  fixed64,
  int64,
  list,
  message,
  oneof,
  optional,
  sfixed64,
  sint32,
  text,
  uint32,
  uint64,
  view,
  type Schema,
} from '../../../kernel/protobuf/schema.ts'

/**
 * OpenTelemetry's protocol 1.x (`opentelemetry/proto/{common,resource,logs,metrics,trace}/v1`), as far as rows are made of it; other
 * fields are passed over. Bytes and JSON are both read by these tables.
 */

export interface AnyValue {
  string_value: string | null
  bool_value: boolean | null
  int_value: bigint | null
  double_value: number | null
  array_value: ArrayValue | null
  kvlist_value: KeyValueList | null
  bytes_value: Uint8Array | null
}
export interface ArrayValue {
  values: AnyValue[]
}
export interface KeyValueList {
  values: KeyValue[]
}
export interface KeyValue {
  key: string
  value: AnyValue | null
}

export const ANY_VALUE: Schema<AnyValue> = {
  name: 'AnyValue',
  fields: {
    string_value: oneof('value', text(1)),
    bool_value: oneof('value', bool(2)),
    int_value: oneof('value', int64(3)),
    double_value: oneof('value', double(4)),
    array_value: oneof(
      'value',
      message(5, () => ARRAY_VALUE),
    ),
    kvlist_value: oneof(
      'value',
      message(6, () => KEY_VALUE_LIST),
    ),
    bytes_value: oneof('value', view(7)),
  },
}
export const ARRAY_VALUE: Schema<ArrayValue> = { name: 'ArrayValue', fields: { values: list(message(1, () => ANY_VALUE)) } }
export const KEY_VALUE_LIST: Schema<KeyValueList> = { name: 'KeyValueList', fields: { values: list(message(1, () => KEY_VALUE)) } }
export const KEY_VALUE: Schema<KeyValue> = {
  name: 'KeyValue',
  fields: { key: text(1), value: optional(message(2, () => ANY_VALUE)) },
}
const attributes = (number: number) => list(message(number, () => KEY_VALUE))

export interface Resource {
  attributes: KeyValue[]
}
export interface Scope {
  name: string
  version: string
  attributes: KeyValue[]
}
const RESOURCE: Schema<Resource> = { name: 'Resource', fields: { attributes: attributes(1) } }
const SCOPE: Schema<Scope> = { name: 'InstrumentationScope', fields: { name: text(1), version: text(2), attributes: attributes(3) } }
const resource = optional(message(1, () => RESOURCE))
const scope = optional(message(1, () => SCOPE))

/** One scope's records of one resource; which of the lists is there depends on the signal. */
export interface Group<Item> {
  resource: Resource | null
  scope: Scope | null
  items: readonly Item[]
}

// Logs

export interface LogRecord {
  /** ns since the epoch; 0: not known */
  time_unix_nano: bigint
  observed_time_unix_nano: bigint
  severity_number: number
  severity_text: string
  body: AnyValue | null
  attributes: KeyValue[]
  dropped_attributes_count: number
  flags: number
  trace_id: Uint8Array
  span_id: Uint8Array
  event_name: string
}
interface ScopeLogs {
  scope: Scope | null
  log_records: LogRecord[]
}
interface ResourceLogs {
  resource: Resource | null
  scope_logs: ScopeLogs[]
}
export interface LogsData {
  resource_logs: ResourceLogs[]
}

/** `SEVERITY_NUMBER_…` by number, as JSON may also name them. */
export const SEVERITIES = [
  'UNSPECIFIED',
  ...['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((name) => [name, `${name}2`, `${name}3`, `${name}4`]),
]

const LOG_RECORD: Schema<LogRecord> = {
  name: 'LogRecord',
  fields: {
    time_unix_nano: fixed64(1),
    severity_number: enumeration(
      2,
      'SeverityNumber',
      SEVERITIES.map((name) => `SEVERITY_NUMBER_${name}`),
    ),
    severity_text: text(3),
    body: optional(message(5, () => ANY_VALUE)),
    attributes: attributes(6),
    dropped_attributes_count: uint32(7),
    flags: fixed32(8),
    trace_id: view(9),
    span_id: view(10),
    observed_time_unix_nano: fixed64(11),
    event_name: text(12),
  },
}
const SCOPE_LOGS: Schema<ScopeLogs> = { name: 'ScopeLogs', fields: { scope, log_records: list(message(2, () => LOG_RECORD)) } }
const RESOURCE_LOGS: Schema<ResourceLogs> = { name: 'ResourceLogs', fields: { resource, scope_logs: list(message(2, () => SCOPE_LOGS)) } }
export const LOGS_DATA: Schema<LogsData> = {
  name: 'ExportLogsServiceRequest',
  fields: { resource_logs: list(message(1, () => RESOURCE_LOGS)) },
}

// Traces

export interface SpanEvent {
  time_unix_nano: bigint
  name: string
  attributes: KeyValue[]
}
export interface SpanLink {
  trace_id: Uint8Array
  span_id: Uint8Array
  attributes: KeyValue[]
}
export interface Span {
  trace_id: Uint8Array
  span_id: Uint8Array
  trace_state: string
  parent_span_id: Uint8Array
  name: string
  kind: number
  start_time_unix_nano: bigint
  end_time_unix_nano: bigint
  attributes: KeyValue[]
  dropped_attributes_count: number
  events: SpanEvent[]
  links: SpanLink[]
  status: { message: string; code: number } | null
}
interface ScopeSpans {
  scope: Scope | null
  spans: Span[]
}
interface ResourceSpans {
  resource: Resource | null
  scope_spans: ScopeSpans[]
}
export interface TracesData {
  resource_spans: ResourceSpans[]
}

export const SPAN_KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
export const STATUS_CODES = ['UNSET', 'OK', 'ERROR']

const SPAN_EVENT: Schema<SpanEvent> = { name: 'Event', fields: { time_unix_nano: fixed64(1), name: text(2), attributes: attributes(3) } }
const SPAN_LINK: Schema<SpanLink> = { name: 'Link', fields: { trace_id: view(1), span_id: view(2), attributes: attributes(4) } }
const STATUS: Schema<{ message: string; code: number }> = {
  name: 'Status',
  fields: {
    message: text(2),
    code: enumeration(
      3,
      'StatusCode',
      STATUS_CODES.map((name) => `STATUS_CODE_${name}`),
    ),
  },
}
const SPAN: Schema<Span> = {
  name: 'Span',
  fields: {
    trace_id: view(1),
    span_id: view(2),
    trace_state: text(3),
    parent_span_id: view(4),
    name: text(5),
    kind: enumeration(
      6,
      'SpanKind',
      SPAN_KINDS.map((name) => `SPAN_KIND_${name}`),
    ),
    start_time_unix_nano: fixed64(7),
    end_time_unix_nano: fixed64(8),
    attributes: attributes(9),
    dropped_attributes_count: uint32(10),
    events: list(message(11, () => SPAN_EVENT)),
    links: list(message(13, () => SPAN_LINK)),
    status: optional(message(15, () => STATUS)),
  },
}
const SCOPE_SPANS: Schema<ScopeSpans> = { name: 'ScopeSpans', fields: { scope, spans: list(message(2, () => SPAN)) } }
const RESOURCE_SPANS: Schema<ResourceSpans> = {
  name: 'ResourceSpans',
  fields: { resource, scope_spans: list(message(2, () => SCOPE_SPANS)) },
}
export const TRACES_DATA: Schema<TracesData> = {
  name: 'ExportTraceServiceRequest',
  fields: { resource_spans: list(message(1, () => RESOURCE_SPANS)) },
}

// Metrics

export interface Exemplar {
  time_unix_nano: bigint
  as_double: number | null
  as_int: bigint | null
  span_id: Uint8Array
  trace_id: Uint8Array
}
/** What every kind of data point has. */
export interface Point {
  attributes: KeyValue[]
  start_time_unix_nano: bigint
  time_unix_nano: bigint
  /** bit 0: there is no value; the series has ended */
  flags: number
}
export interface NumberPoint extends Point {
  as_double: number | null
  as_int: bigint | null
  exemplars: Exemplar[]
}
/** What distributions have; an absent sum, minimum or maximum is null. */
export interface Distribution extends Point {
  count: bigint
  sum: number | null
  min: number | null
  max: number | null
  exemplars: Exemplar[]
}
export interface HistogramPoint extends Distribution {
  bucket_counts: bigint[]
  explicit_bounds: number[]
}
export interface Buckets {
  offset: number
  bucket_counts: bigint[]
}
export interface ExponentialPoint extends Distribution {
  scale: number
  zero_count: bigint
  positive: Buckets | null
  negative: Buckets | null
  zero_threshold: number
}
export interface SummaryPoint extends Point {
  count: bigint
  sum: number
  quantile_values: { quantile: number; value: number }[]
}
interface Points<P> {
  data_points: P[]
}
/** 0 unspecified, 1 delta, 2 cumulative */
interface Temporal<P> extends Points<P> {
  aggregation_temporality: number
}
export interface Metric {
  name: string
  unit: string
  gauge: Points<NumberPoint> | null
  sum: (Temporal<NumberPoint> & { is_monotonic: boolean }) | null
  histogram: Temporal<HistogramPoint> | null
  exponential_histogram: Temporal<ExponentialPoint> | null
  summary: Points<SummaryPoint> | null
}
interface ScopeMetrics {
  scope: Scope | null
  metrics: Metric[]
}
interface ResourceMetrics {
  resource: Resource | null
  scope_metrics: ScopeMetrics[]
}
export interface MetricsData {
  resource_metrics: ResourceMetrics[]
}

const temporality = (number: number) =>
  enumeration(number, 'AggregationTemporality', [
    'AGGREGATION_TEMPORALITY_UNSPECIFIED',
    'AGGREGATION_TEMPORALITY_DELTA',
    'AGGREGATION_TEMPORALITY_CUMULATIVE',
  ])

const EXEMPLAR: Schema<Exemplar> = {
  name: 'Exemplar',
  fields: {
    time_unix_nano: fixed64(2),
    as_double: oneof('value', double(3)),
    span_id: view(4),
    trace_id: view(5),
    as_int: oneof('value', sfixed64(6)),
  },
}
const exemplars = (number: number) => list(message(number, () => EXEMPLAR))
const NUMBER_POINT: Schema<NumberPoint> = {
  name: 'NumberDataPoint',
  fields: {
    start_time_unix_nano: fixed64(2),
    time_unix_nano: fixed64(3),
    as_double: oneof('value', double(4)),
    exemplars: exemplars(5),
    as_int: oneof('value', sfixed64(6)),
    attributes: attributes(7),
    flags: uint32(8),
  },
}
const HISTOGRAM_POINT: Schema<HistogramPoint> = {
  name: 'HistogramDataPoint',
  fields: {
    start_time_unix_nano: fixed64(2),
    time_unix_nano: fixed64(3),
    count: fixed64(4),
    sum: optional(double(5)),
    bucket_counts: list(fixed64(6)),
    explicit_bounds: list(double(7)),
    exemplars: exemplars(8),
    attributes: attributes(9),
    flags: uint32(10),
    min: optional(double(11)),
    max: optional(double(12)),
  },
}
const BUCKETS: Schema<Buckets> = { name: 'Buckets', fields: { offset: sint32(1), bucket_counts: list(uint64(2)) } }
const EXPONENTIAL_POINT: Schema<ExponentialPoint> = {
  name: 'ExponentialHistogramDataPoint',
  fields: {
    attributes: attributes(1),
    start_time_unix_nano: fixed64(2),
    time_unix_nano: fixed64(3),
    count: fixed64(4),
    sum: optional(double(5)),
    scale: sint32(6),
    zero_count: fixed64(7),
    positive: optional(message(8, () => BUCKETS)),
    negative: optional(message(9, () => BUCKETS)),
    flags: uint32(10),
    exemplars: exemplars(11),
    min: optional(double(12)),
    max: optional(double(13)),
    zero_threshold: double(14),
  },
}
const QUANTILE: Schema<{ quantile: number; value: number }> = {
  name: 'ValueAtQuantile',
  fields: { quantile: double(1), value: double(2) },
}
const SUMMARY_POINT: Schema<SummaryPoint> = {
  name: 'SummaryDataPoint',
  fields: {
    start_time_unix_nano: fixed64(2),
    time_unix_nano: fixed64(3),
    count: fixed64(4),
    sum: double(5),
    quantile_values: list(message(6, () => QUANTILE)),
    attributes: attributes(7),
    flags: uint32(8),
  },
}
const GAUGE: Schema<Points<NumberPoint>> = { name: 'Gauge', fields: { data_points: list(message(1, () => NUMBER_POINT)) } }
const SUM: Schema<Temporal<NumberPoint> & { is_monotonic: boolean }> = {
  name: 'Sum',
  fields: { data_points: list(message(1, () => NUMBER_POINT)), aggregation_temporality: temporality(2), is_monotonic: bool(3) },
}
const HISTOGRAM: Schema<Temporal<HistogramPoint>> = {
  name: 'Histogram',
  fields: { data_points: list(message(1, () => HISTOGRAM_POINT)), aggregation_temporality: temporality(2) },
}
const EXPONENTIAL: Schema<Temporal<ExponentialPoint>> = {
  name: 'ExponentialHistogram',
  fields: { data_points: list(message(1, () => EXPONENTIAL_POINT)), aggregation_temporality: temporality(2) },
}
const SUMMARY: Schema<Points<SummaryPoint>> = { name: 'Summary', fields: { data_points: list(message(1, () => SUMMARY_POINT)) } }
const METRIC: Schema<Metric> = {
  name: 'Metric',
  fields: {
    name: text(1),
    unit: text(3),
    gauge: oneof(
      'data',
      message(5, () => GAUGE),
    ),
    sum: oneof(
      'data',
      message(7, () => SUM),
    ),
    histogram: oneof(
      'data',
      message(9, () => HISTOGRAM),
    ),
    exponential_histogram: oneof(
      'data',
      message(10, () => EXPONENTIAL),
    ),
    summary: oneof(
      'data',
      message(11, () => SUMMARY),
    ),
  },
}
const SCOPE_METRICS: Schema<ScopeMetrics> = { name: 'ScopeMetrics', fields: { scope, metrics: list(message(2, () => METRIC)) } }
const RESOURCE_METRICS: Schema<ResourceMetrics> = {
  name: 'ResourceMetrics',
  fields: { resource, scope_metrics: list(message(2, () => SCOPE_METRICS)) },
}
export const METRICS_DATA: Schema<MetricsData> = {
  name: 'ExportMetricsServiceRequest',
  fields: { resource_metrics: list(message(1, () => RESOURCE_METRICS)) },
}

// Answers

/** `Export…ServiceResponse`, one for all three signals: the first field of `partial_success` is the count under each name. */
export interface ExportAnswer {
  partial_success: { rejected: bigint; error_message: string } | null
}
const PARTIAL_SUCCESS: Schema<{ rejected: bigint; error_message: string }> = {
  name: 'PartialSuccess',
  fields: { rejected: int64(1), error_message: text(2) },
}
export const EXPORT_ANSWER: Schema<ExportAnswer> = {
  name: 'ExportServiceResponse',
  fields: { partial_success: optional(message(1, () => PARTIAL_SUCCESS)) },
}

/** `google.rpc.Status`, the body of every refusal. */
export interface RpcStatus {
  code: number
  message: string
}
export const RPC_STATUS: Schema<RpcStatus> = { name: 'Status', fields: { code: uint32(1), message: text(2) } }
