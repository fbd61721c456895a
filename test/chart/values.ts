/** Values that operators give, and what everything together is. */
const jobs = {
  drill: { enabled: true },
  verify: { enabled: true },
  restore: {
    job: {
      enabled: true,
      args: ['--topic', 'orders', '--from-time', '2026-11-01T00:00Z'],
      cluster: {
        brokers: ['dr:9093'],
        ssl: { enabled: true, caFile: '/run/secrets/varve/dr/ca.crt' },
      },
      keySecret: 'escrow-key',
      secretFiles: [{ name: 'dr', secret: 'dr-user' }],
    },
  },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboard: { enabled: true },
};

const secured = {
  config: {
    kafka: {
      brokers: ['a:9093', 'b:9093'],
      ssl: { enabled: true, caFile: '/run/secrets/varve/ca/ca.crt' },
      sasl: {
        mechanism: 'SCRAM-SHA-512',
        username: 'varve',
        passwordFile: '/run/secrets/varve/user/password',
      },
    },
    topics: { include: ['shop.*'], exclude: ['shop.tmp'] },
    local: { segmentBytes: 1_073_741_824, keep: '14d' },
    archive: { topics: { 'shop.clicks': { keep: '13mo' } } },
    cycle: { schedule: '0 0 * * * *', timezone: 'Europe/Zurich' },
    observe: { logLevel: 'debug' },
  },
  secretFiles: [
    { name: 'ca', secret: 'my-cluster-cluster-ca-cert' },
    { name: 'user', secret: 'varve' },
  ],
};

const placed = {
  imagePullSecrets: [{ name: 'pull' }],
  priorityClassName: 'high',
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'backup', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  podAnnotations: { a: 'b' },
  podLabels: { team: 'data' },
  serviceAccount: { annotations: { c: 'd' } },
  extraEnv: [{ name: 'VARVE_OBSERVE_PING', valueFrom: { secretKeyRef: { name: 'ping', key: 'url' } } }],
  networkPolicy: { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] },
  image: { repository: 'images.example/varve', tag: 'edge' },
};

/** Kubernetes takes them for names, YAML for numbers. */
const numbered = {
  nameOverride: '12',
  key: { secret: '2024' },
  secretFiles: [{ name: 'ca', secret: '1e5' }],
  priorityClassName: '7',
  target: { kind: 'existingClaim', existingClaim: '0' },
  local: { storageClass: '1' },
};

const lean = {
  test: { enabled: false },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: false },
};

export const targets = {
  'its own claim': {},
  'a claim of one node': {
    target: { kind: 'existingClaim', existingClaim: 'disk', folder: 'prod', isOnOneNode: true },
  },
  NFS: {
    target: { kind: 'nfs', nfs: { server: 'nfs.example', path: '/export/varve' } },
    user: { id: 2_000_000, group: 3000, fsGroup: null, supplementalGroups: [4000] },
  },
};

export const choices = {
  nothing: {},
  jobs,
  secured,
  'a passphrase': { key: { secret: 'words', entry: 'passphrase', isPassphrase: true } },
  placed,
  numbered,
  lean,
  everything: { ...jobs, ...secured, ...placed },
  'a long name': { ...jobs, fullnameOverride: 'a'.repeat(63) },
};
