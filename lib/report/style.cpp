#include "sections.hpp"

namespace octavo::report {

/// Boxes keep their colours in the dark, since they lie on pictures; each has a line style of its own.
const char* style() {
  return R"(
:root{--box-expected:#1f9d4d;--box-original:#2f7fe6;--box-quantized:#e8590c}
h3{font-size:1rem;margin:22px 0 6px}h4{font-size:.88rem;color:var(--soft);margin:16px 0 4px}
p{margin:8px 0;max-width:90ch}.soft,.absent{color:var(--soft)}.absent{font-style:italic}
section{scroll-margin-top:12px}nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:18px 0 0;font-size:.88rem}
a{color:var(--expected)}pre{background:var(--code);border-radius:8px;padding:10px 12px;overflow-x:auto;font-size:.8rem;max-height:420px}
details.more{margin:8px 0}figure{margin:0}figcaption{font-size:.8rem;color:var(--soft);font-weight:600}
.failure{color:var(--wrong)}.tag{margin-right:4px}
.diagnosis h3{margin:0 0 4px}.diagnosis{margin-top:12px}.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 28px}
.pair ol{margin:4px 0;padding-left:20px}.pair li{margin:4px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;margin-top:12px}
.tile{display:flex;flex-direction:column;gap:2px;border-top:4px solid var(--line)}.tile b{font-size:.8rem;color:var(--soft)}
.tile strong{font-size:1.25rem;line-height:1.25}.tile i{font-style:normal;font-weight:400;font-size:1rem;color:var(--soft);display:block}
.tile span{font-size:.8rem;color:var(--soft)}.tile.wide{grid-column:span 2}.tile .metric{color:var(--soft);font-size:.8rem}.tile.missed{border-top-color:var(--wrong)}.tile.missed span{color:var(--wrong)}
.steps{list-style:none;margin:0;padding:6px 16px}.steps li{padding:8px 0;border-bottom:1px solid var(--line)}.steps li:last-child{border:0}
.steps p{margin:3px 0}.step{display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline}.step .tag{min-width:86px;text-align:center}
.step code{color:var(--soft)}.metrics{display:flex;flex-wrap:wrap;gap:2px 18px;font-size:.86rem;margin-top:3px}
.metric summary{padding:0;list-style:none;text-decoration:underline dotted var(--soft) 1px;text-underline-offset:3px}
.metric summary::-webkit-details-marker{display:none}.metric[open]{flex-basis:100%}.metric p,.tile p{margin:2px 0 6px;color:var(--soft);font-size:.84rem;font-weight:400}
.made{color:var(--soft);font-size:.84rem;margin:-8px 0 12px;max-width:none}.metric i{font-style:normal;color:var(--soft)}.metric small{color:var(--soft)}.metric.missed,.metric.missed small{color:var(--wrong);font-weight:600}
.charts{display:flex;flex-wrap:wrap;gap:14px 20px;align-items:flex-start}.charts figure{min-width:0;max-width:100%}
svg.chart{display:block}.chart text{font:10.5px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}.boundary{stroke:var(--ink);stroke-width:2}
.solid,.heat{fill:var(--bar)}.hollow{fill:var(--card);stroke:var(--ink);stroke-width:1.2}.notfinite{fill:var(--wrong)}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:.84rem;color:var(--soft)}.legend span{display:flex;gap:6px;align-items:center}
.worst{margin:6px 0;padding-left:22px}.worst li{margin:3px 0}.figures td{font-variant-numeric:tabular-nums}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0}.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
.warnings{list-style:none;padding:0}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,500px),1fr));gap:12px}
.sample{display:flex;gap:16px;align-items:flex-start}.pictures{flex:0 0 180px;display:grid;gap:8px}.said{flex:1;min-width:0}
.pictures p{margin:0;font-size:.84rem}.said p{margin:0 0 6px}.said .head{display:flex;flex-wrap:wrap;gap:4px 6px;align-items:baseline}.prompt{font-weight:600;white-space:pre-wrap}.prompt,.said dd{overflow-wrap:anywhere;max-height:15em;overflow-y:auto}
.said dl{margin:0;display:grid;grid-template-columns:max-content 1fr;gap:4px 12px}.said dt{color:var(--soft);font-size:.84rem}
.said dd{margin:0;white-space:pre-wrap;font-size:.9rem}.said small{color:var(--soft)}.said small.failure{color:var(--wrong)}
.swatch{vertical-align:middle;margin-left:6px}.picture{display:block;width:100%;max-height:320px;border-radius:6px}
.nopicture{fill:var(--code)}.picture rect.halo{fill:none;stroke:#fff;stroke-opacity:.55;stroke-width:6.5;vector-effect:non-scaling-stroke}
.box{fill:none;stroke-width:2.2;vector-effect:non-scaling-stroke}.box.expected{stroke:var(--box-expected);stroke-width:4.5;stroke-dasharray:9 9}
.box.original{stroke:var(--box-original)}.box.quantized{stroke:var(--box-quantized);stroke-width:3;stroke-dasharray:3 5}
.formula{white-space:nowrap}.said .soft{font-size:.84rem;margin:8px 0 0}sup{line-height:0}
@media (max-width:720px){.pair{grid-template-columns:1fr}.tiles{grid-template-columns:1fr 1fr}
.sample{flex-direction:column}.pictures{flex:none;width:100%;max-width:320px}}
@media print{*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{background:#fff}nav{display:none}
h1,h2,h3,h4,section>p{break-after:avoid}.card,figure,li{break-inside:avoid}.card.steps{break-inside:auto}
pre,.prompt,.said dd{max-height:none}.samples{grid-template-columns:1fr 1fr}.pictures{flex-basis:96px}.said dd{font-size:.75rem}}
)";
}

}  // namespace octavo::report
