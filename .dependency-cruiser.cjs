/** The layer rule of docs/architecture.md: an arrow may only point down. Type imports count. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: {
    path: "^(pipelines|runners|transforms|data|sql)/",
    pathNot: allowed,
  },
});

module.exports = {
  forbidden: [
    only("sql-is-the-ground", "^sql/", "^sql/", "sql imports nothing of ours"),
    only("transforms-above-sql", "^transforms/", "^(transforms|sql)/", "transforms may use sql only"),
    only("data-above-transforms", "^data/", "^(data|transforms)/", "data may use transforms only"),
    only(
      "runners-know-no-transform",
      "^runners/",
      "^(runners|sql)/|^transforms/primitives/",
      "runners know the primitives and sql, no other transform",
    ),
    {
      name: "engine-is-pure",
      severity: "error",
      from: { path: "^runners/engine/" },
      to: { pathNot: "^runners/engine/" },
    },
    {
      name: "nobody-imports-pipelines",
      severity: "error",
      from: { path: "^(runners|transforms|data|sql)/" },
      to: { path: "^pipelines/" },
    },
    {
      name: "monitor-reads-the-job-contract",
      severity: "error",
      from: { path: "^runners/monitor/" },
      to: { path: "^(sql|transforms|data|runners)/", pathNot: "^runners/(job|monitor)/" },
    },
    {
      name: "pages-run-in-a-browser",
      comment: "the pages know the API's shapes and their own libraries, nothing of Node",
      severity: "error",
      from: { path: "^runners/monitor/pages/", pathNot: "vite\\.config\\.ts$" },
      to: {
        pathNot: "^runners/(monitor/pages/|job/job-view\\.ts$)|node_modules/(preact|uplot|@dagrejs/dagre)/",
      },
    },
    {
      name: "driver-only-in-sql",
      severity: "error",
      from: { path: "^(pipelines|runners|transforms|data)/" },
      to: { path: "node_modules/(pg|pg-copy-streams|pg-protocol|@types/pg|@types/pg-copy-streams)/" },
    },
    {
      name: "sdk-internals-have-their-places",
      severity: "error",
      from: {
        path: "^(pipelines|runners|transforms|data|sql)/",
        pathNot: "^(runners/(graph|bundle|harness|portable)|transforms/primitives)/",
      },
      to: { path: "node_modules/apache-beam/dist/src/apache_beam/(proto|internal|worker)/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "not-to-tests", severity: "error", from: { pathNot: "^test/" }, to: { path: "^test/" } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
