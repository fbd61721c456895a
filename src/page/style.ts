/** The page's only style sheet, in the page itself. Sand and clay by day, wet stone by night. */
export const style = `
:root{color-scheme:light dark;--ground:#f7f2e8;--card:#fffaf0;--ink:#33291f;--soft:#7d6e5c;--line:#e2d7c3;--water:#5b8a97;--water-ink:#2f5f6c;
--good:#5d6f3a;--bad:#a03c22;--warn:#96690f;--pick:#2f5f6c;--code:#efe6d5;--text-light:#fdf8ee;--text-dark:#40342a;
--m1:#665243;--m2:#75604d;--m3:#8a7058;--m4:#a28566;--m5:#b99a74;--m6:#cbb087;--m7:#d8c199;--m8:#d1b68a;--m9:#bf9e74;--m10:#a88362;--m11:#8d6e54;--m12:#735a49}
@media (prefers-color-scheme:dark){:root{--ground:#1b1714;--card:#241f1a;--ink:#ece2d2;--soft:#a3937e;--line:#3a322a;--water:#6fa3b0;--water-ink:#9cc9d4;
--good:#a9bd78;--bad:#e58867;--warn:#dcb15c;--pick:#9cc9d4;--code:#2f2822;
--m1:#5a4739;--m2:#665141;--m3:#775f4b;--m4:#8b7058;--m5:#a08365;--m6:#b39774;--m7:#bfa682;--m8:#b79c76;--m9:#a58663;--m10:#906f54;--m11:#7a5f49;--m12:#644f40}}
*{box-sizing:border-box}
html{background:var(--ground);color:var(--ink);font:17px/1.55 ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,Georgia,serif;font-variant-numeric:tabular-nums lining-nums;-webkit-text-size-adjust:100%}
body{margin:0}
main{max-width:71rem;margin:0 auto;padding:2.2rem 1.5rem 4rem}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:.18em}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible{outline:2px solid var(--pick);outline-offset:2px;border-radius:2px}
h1{font-weight:500;font-size:clamp(1.9rem,5vw,2.9rem);line-height:1.12;letter-spacing:-.015em;margin:.1em 0 .7em;text-wrap:balance}
h2{font-weight:500;font-size:1.45rem;letter-spacing:-.005em;margin:0 0 .3em}
h3{font-weight:500;font-size:1.05rem;margin:1.2em 0 .3em}
p{margin:.2em 0 .8em;max-width:62ch}
section{margin-top:3.4rem;scroll-margin-top:1rem}
.brand{display:flex;flex-wrap:wrap;gap:.1rem .9rem;align-items:baseline;color:var(--soft);font-size:.88rem;margin:0;max-width:none}
.brand b{color:var(--ink);font-weight:600;font-size:1.05rem;letter-spacing:.02em}
.quiet,.lead{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.small{font-size:.85rem}
.first{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1.4rem 2.4rem;margin:0;padding:1.3rem 0 0;border-top:1px solid var(--line)}
.first dt{color:var(--soft);font-size:.88rem}
.first dd{margin:0}
.first .figure{font-size:1.75rem;line-height:1.25;letter-spacing:-.01em}
.first .figure+dd{color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
.concerns{list-style:none;margin:0 0 1.6rem;padding:0}
.concerns li{border-left:3px solid var(--warn);padding:.25rem 0 .25rem .9rem;margin:.5rem 0;overflow-wrap:anywhere}
.concerns li.bad{border-color:var(--bad);color:inherit}
.concerns .hint{display:block;color:var(--soft);font-size:.88rem}
ul.plain{list-style:none;margin:.2rem 0 0;padding:0}
.tools{display:flex;flex-wrap:wrap;gap:.6rem .8rem;align-items:end;margin:1rem 0 1.4rem}
label{display:block;font-size:.82rem;color:var(--soft)}
input,select,button{font:inherit;font-size:.95rem;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:4px;padding:.34rem .6rem;max-width:100%}
input,select,.tools button{height:2.4rem}
input{width:15rem}
button{cursor:pointer;background:var(--code)}
button:hover{border-color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.3rem;list-style:none;margin:.6rem 0 0;padding:0;color:var(--soft);font-size:.85rem}
.legend svg{width:1.5rem;height:.8rem;vertical-align:-.05rem;margin-right:.4rem}
.columns{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(auto-fill,100px);justify-content:space-between;gap:1.9rem 1rem}
.column{width:100px}
.column .name{display:flex;align-items:flex-end;height:3.1em;margin-bottom:.35rem;font-size:.82rem;line-height:1.2;overflow:hidden;overflow-wrap:anywhere;text-decoration:none}
.column .name:hover{text-decoration:underline}
.column.chosen .name{color:var(--pick);font-weight:600}
.column .amount{margin:.35rem 0 0;font-size:.95rem;line-height:1.2}
.column .state{margin:.1rem 0 0;font-size:.78rem;line-height:1.3}
.strata{display:block;overflow:visible;max-width:100%}
.strata .bed{fill:none;stroke:var(--soft);stroke-dasharray:2 3}
.layer path{stroke:var(--ground);stroke-width:.8}
.layer text{font-size:9.5px;letter-spacing:.02em;fill:var(--text-dark);pointer-events:none}
.m1 text,.m2 text,.m3 text,.m10 text,.m11 text,.m12 text{fill:var(--text-light)}
.layer:hover path,.layer:focus-visible path{filter:brightness(1.09)}
.layer .loose{fill:url(#loose);stroke:none;pointer-events:none}
.layer.open>path:not(.loose){opacity:.62}
.layer.open text{fill:var(--ink)}
.layer.unsaved>path:not(.loose){fill:var(--water);opacity:.5}
.layer.unsaved text{fill:var(--ink)}
.layer.picked>path:not(.loose){stroke:var(--pick);stroke-width:2.2;opacity:1;paint-order:stroke}
.layer.open.picked text{fill:var(--text-dark)}
.layer.open.m1.picked text,.layer.open.m2.picked text,.layer.open.m3.picked text,.layer.open.m10.picked text,.layer.open.m11.picked text,.layer.open.m12.picked text{fill:var(--text-light)}
.break path{fill:none;stroke:var(--bad);stroke-width:1.4;stroke-linejoin:round}
#loose path{stroke:var(--ground);stroke-width:1.2;opacity:.5}
.m1>path{fill:var(--m1)}.m2>path{fill:var(--m2)}.m3>path{fill:var(--m3)}.m4>path{fill:var(--m4)}.m5>path{fill:var(--m5)}.m6>path{fill:var(--m6)}
.m7>path{fill:var(--m7)}.m8>path{fill:var(--m8)}.m9>path{fill:var(--m9)}.m10>path{fill:var(--m10)}.m11>path{fill:var(--m11)}.m12>path{fill:var(--m12)}
.panel{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1.4rem 1.5rem 1.5rem}
.panel h2{overflow-wrap:anywhere}
.days{display:flex;flex-wrap:wrap;gap:.2rem;list-style:none;margin:.3rem 0 .2rem;padding:0;font-size:.85rem}
.days a{display:block;min-width:1.95rem;padding:.15rem .2rem;text-align:center;text-decoration:none;border:1px solid var(--line);border-radius:4px}
.days a:hover{border-color:var(--soft)}
.days a[aria-current]{background:var(--pick);border-color:var(--pick);color:var(--card)}
.command{display:flex;flex-wrap:wrap;gap:.5rem;align-items:flex-start;margin:.25rem 0 .9rem}
pre{flex:1 1 20rem;min-width:0;margin:0;padding:.6rem .8rem;background:var(--code);border-radius:5px;font:.86rem/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;-webkit-user-select:all}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{font-weight:400;color:var(--soft);text-align:left;font-size:.82rem}
th,td{padding:.42rem .9rem .42rem 0;vertical-align:top;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right;white-space:nowrap}
td.time{white-space:nowrap}
td{overflow-wrap:anywhere}
code{font:.86em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.view{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:0 .5rem;margin:0 .25rem .15rem 0;font-size:.8rem;white-space:nowrap;background:var(--card)}
.phases{display:block;width:100%;max-width:16rem;height:10px;border-radius:2px;margin-top:.35rem}
.p0{fill:var(--m7)}.p1{fill:var(--m9)}.p2{fill:var(--m10)}.p3{fill:var(--m11)}.p4{fill:var(--m1)}.p5{fill:var(--m5)}.p6{fill:var(--water)}
summary{cursor:pointer;color:var(--soft);margin:.8rem 0}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}
footer nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem}
.pages{display:flex;gap:1.2rem;margin-top:1.4rem;font-size:.9rem}
.unseen{position:absolute;width:0;height:0}
@media (max-width:46rem){
main{padding:1.3rem 1rem 3rem}
section{margin-top:2.6rem}
.columns{justify-content:space-evenly;gap:1.6rem .7rem}
.panel{padding:1.1rem 1rem}
input{width:100%}
.tools label{flex:1 1 100%}
.tools label.narrow{flex:1 1 7rem}
table,tbody,tr,td{display:block;width:100%}
thead{display:none}
tr{padding:.7rem 0;border-bottom:1px solid var(--line)}
td,td.number,td.time{border:0;padding:.05rem 0;text-align:left;white-space:normal}
td[data-label]::before{content:attr(data-label) " ";color:var(--soft);font-size:.82rem}
}
@media print{.tools,button,.pages{display:none}}
`;
