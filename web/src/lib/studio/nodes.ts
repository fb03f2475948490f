/** What `GET /api/v1/status` answers. Moments in milliseconds since 1970. */
export interface Status {
  at: number;
  nodes: NodeStatus[];
  owners: { name: string; shards: number; epochs: [number, number]; alive_at: number | null }[];
  /** How many shards nobody owns just now. */
  free: number;
  /** What waits for a runner, and who runs; none while the queue does not answer. */
  queue: Queue | null;
}

export interface Queue {
  waiting: number;
  running: number;
  /** The same of runs into which their person types. */
  typed_waiting: number;
  typed_running: number;
  /** Since when the oldest waits. */
  oldest_at: number | null;
  /** How many runs each node has that runs what waits, by its name. */
  runners: Record<string, number>;
}

export interface NodeStatus {
  id: string;
  name: string;
  version: number;
  roles: ('gateway' | 'actors' | 'runner')[];
  started_at: number;
  is_leaving: boolean;
  trouble: string | null;
  shards: number;
  awake: number;
  broken: number;
  sockets: number;
  runs: number;
  broken_streams: { stream: string; why: string }[];
  outages: { from: number; to: number; shards: number }[];
}

/** The outages of all nodes, the newest first; one that several nodes know of is one. */
export function outages(nodes: readonly NodeStatus[]): { from: number; to: number; shards: number }[] {
  const all = new Map<string, { from: number; to: number; shards: number }>();
  for (const one of nodes.flatMap(node => node.outages)) {
    const key = `${one.from} ${one.to}`;
    all.set(key, { ...one, shards: one.shards + (all.get(key)?.shards ?? 0) });
  }
  return [...all.values()].sort((a, b) => b.from - a.from);
}
